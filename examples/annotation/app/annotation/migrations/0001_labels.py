"""The table of labels."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """As `makemigrations` writes it."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Label",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("task", models.CharField(max_length=64, unique=True)),
                ("text", models.TextField()),
                ("label", models.CharField(max_length=64)),
                ("words", models.PositiveIntegerField()),
                ("characters", models.PositiveIntegerField()),
                ("worker", models.CharField(max_length=64)),
                ("made", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
    ]
