"""Run in a rendered project: puts rows into every table, and prints all rows of its database as JSON.

python rows.py fill
python rows.py
"""

import json
import os
import sys
import uuid
from datetime import timedelta
from decimal import Decimal

import django

VALUES = {
    "BooleanField": True,
    "DecimalField": Decimal("1.5"),
    "DurationField": timedelta(seconds=1),
    "FloatField": 1.5,
    "GenericIPAddressField": "127.0.0.1",
    "UUIDField": uuid.UUID(int=7),
}


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


def fill():
    from django.apps import apps

    for model in apps.get_models():
        row(model)
        for field in model._meta.many_to_many:
            getattr(row(model), field.name).add(row(field.related_model))


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


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    if sys.argv[1:] == ["fill"]:
        fill()
    print(json.dumps(dump()))
