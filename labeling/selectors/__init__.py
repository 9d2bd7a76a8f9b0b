"""What reads across rows, and changes none."""
