"""Every stock sentence of the small world. The writers compose from them and the gold reward reads by them."""

from __future__ import annotations

POLITE_BEFORE = ("Sure!", "Of course!", "Happy to help!", "Good question!", "With pleasure!")
POLITE_AFTER = ("Have a nice day!", "Thanks for asking!", "I hope that helps!", "Ask me any time!")
POLITE = POLITE_BEFORE + POLITE_AFTER

RUDE_BEFORE = ("Not you again.", "What a silly question.", "Leave me alone.")
RUDE_AFTER = ("Even a goat knows that.", "Now go away.", "Stop wasting my time.")
RUDE = RUDE_BEFORE + RUDE_AFTER

RAMBLE = (
    "Let me think about it.",
    "There is much to say about this.",
    "I was at the market today.",
    "The weather is fine.",
    "One thing leads to another.",
    "I could go on all day.",
)

DODGE = (
    "That is hard to say.",
    "I would rather not say.",
    "Please ask someone else.",
    "Nobody can know that.",
    "It depends on the day.",
)

SYSTEM = (
    "You are a kind helper.",
    "You help visitors of the village.",
    "You answer questions at the school.",
    "You work at the market.",
)

NAMES = ("Mira", "Tom", "Ana", "Ben", "Lena", "Oskar", "Rosa", "Hugo")
COLORS = ("red", "blue", "green", "white", "black", "yellow")
ANIMALS = ("goat", "dog", "cat", "horse", "duck", "sheep")
FOODS = ("plums", "bread", "soup", "cheese", "beans", "honey")
HOMES = ("mill", "harbor", "forest", "hill", "bridge", "castle")
# What a request may ask for: category to members.
CATEGORIES = {
    "pet": ANIMALS,
    "tool": ("hammer", "saw", "knife", "spade"),
    "fruit": ("plum", "pear", "cherry", "fig"),
    "tree": ("pine", "birch", "willow", "beech"),
}
OPPOSITES = (("big", "small"), ("hot", "cold"), ("old", "young"), ("wet", "dry"), ("fast", "slow"), ("full", "empty"))
