"""Deletes an account with what belongs to it."""

import logging

from axes.utils import reset
from django.db import transaction
from django.db.models import Q

from accounts.models import User

logger = logging.getLogger("accounts")


def delete(user: User) -> bool:
    """False for the last active superuser, who stays.

    What refers to the user goes along, or forgets who it was, as its `on_delete` says: of a ledger the money stays.
    """
    with transaction.atomic():
        # Of two superusers that leave at once one waits here for the other, and so does what refers to the user.
        locked = User.objects.filter(Q(pk=user.pk) | Q(is_superuser=True, is_active=True)).order_by("pk")
        others = [other for other in locked.select_for_update() if other.is_superuser and other.pk != user.pk]
        if user.is_superuser and not others:
            return False
        name, pk = user.get_username(), user.pk
        user.delete()
        reset(username=name)  # failed attempts to sign in
    logger.info("User %s has deleted their account", pk)
    return True
