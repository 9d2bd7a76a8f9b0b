from django.db import migrations, models


def fill(apps, schema_editor):
    """Of sets that are there already; disagreement comes with the next measurement."""
    sets = apps.get_model("labeling", "RolloutSet").objects.filter(run_id__isnull=False)
    response = apps.get_model("labeling", "Response")
    rows = response.objects.filter(rollout_set=models.OuterRef("pk")).order_by().values("rollout_set")

    def of(value):
        return models.Subquery(rows.annotate(found=value).values("found"))

    sets.update(best_score=of(models.Max("score")), worst_score=of(models.Min("score")))
    one = rows.annotate(first=models.Min("source"), last=models.Max("source"))
    sets.update(source=models.Subquery(one.filter(first=models.F("last")).values("first")))


class Migration(migrations.Migration):
    # Apart from the indexes: PostgreSQL makes none while checks of changed references are pending.

    dependencies = [
        ("labeling", "0010_rollout_browser"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
