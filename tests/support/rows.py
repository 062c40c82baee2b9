"""Run in a rendered project: puts rows into every table, and prints all rows of its database as JSON.

python rows.py                                        # the rows that there are
python rows.py fill                                   # and a row in each table that had none
python rows.py fill accounts/0001_initial …           # in a database as these migrations, and no later ones, make it
"""

import json
import os
import sys
import uuid
from datetime import timedelta
from decimal import Decimal

import django  # of the project

VALUES = {
    "BooleanField": True,
    "DecimalField": Decimal("1.5"),
    "DurationField": timedelta(seconds=1),
    "FloatField": 1.5,
    "GenericIPAddressField": "127.0.0.1",
    "UUIDField": uuid.UUID(int=7),
}


def migrated(targets):
    """The models after these migrations, and after all those of other apps."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    wanted = dict(leaves) | dict(target.split("/") for target in targets)
    for app, name in wanted.items():
        call_command("migrate", app, name, verbosity=0)
    return MigrationExecutor(connection).loader.project_state(list(wanted.items())).apps


def fill(apps):
    for model in apps.get_models():
        row(model)
        for field in model._meta.many_to_many:
            getattr(row(model), field.name).add(row(field.related_model))


def row(model):
    """A row of this model, made with rows of those that it needs, when there is none yet."""
    from django.db.models import NOT_PROVIDED

    found = model._base_manager.first()
    if found:
        return found
    values = {}
    for field in model._meta.concrete_fields:
        unset = NOT_PROVIDED is field.default is field.db_default and "Auto" not in field.get_internal_type()
        if field.is_relation and (not field.null or field.related_model is not model):
            values[field.name] = row(field.related_model)
        elif unset:
            values[field.name] = value(field)
    return model._base_manager.create(**values)


def value(field):
    from django.utils import timezone

    kind = field.get_internal_type()
    if field.choices:
        return field.choices[0][0]
    if kind in VALUES:
        return VALUES[kind]
    if "Date" in kind or "Time" in kind:
        return timezone.now()
    if "Integer" in kind:
        return 3
    return {} if "JSON" in type(field).__name__ else "text"[: field.max_length]


def dump():
    """{table: [{column: value}]}, values as text."""
    from django.db import connection

    tables = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            tables[table] = [dict(zip(names, map(str, values), strict=True)) for values in cursor.fetchall()]
    return tables


def changed_rows(before, after):
    """Tables in which a row is not what it was. A new column is no change."""
    return sorted(
        table
        for table, rows in before.items()
        for row in rows
        if not any(row.items() <= other.items() for other in after.get(table, []))
    )


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    command, *targets = sys.argv[1:] or [""]
    if command == "fill":
        from django.apps import apps

        fill(migrated(targets) if targets else apps)
    print(json.dumps(dump()))
