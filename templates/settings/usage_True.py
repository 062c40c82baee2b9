
# --- Usage ----------------------------------------------------------------------------------------
# In US dollars; `none` is no limit. The admin has exceptions for users and groups. docs/usage.md says how budgets work.

INSTALLED_APPS += ["usage"]

# What each user may spend on a day and in a month, and all together in a month.
USAGE_USER_DAY = config("USAGE_USER_DAY", default="5", cast=amount)
USAGE_USER_MONTH = config("USAGE_USER_MONTH", default="50", cast=amount)
USAGE_PROJECT_MONTH = config("USAGE_PROJECT_MONTH", default="500", cast=amount)
# How many calls a user may have under way at once.
USAGE_CALLS_AT_ONCE = config("USAGE_CALLS_AT_ONCE", default=8, cast=int)
# Who sees under each of their answers what it cost: everybody, staff or nobody.
USAGE_SHOW_COST = config("USAGE_SHOW_COST", default="everybody", cast=choice)
# Who is told by e-mail when half, four fifths and all of a budget that many share are spent; of their own, users are.
USAGE_ALERT_EMAILS = config("USAGE_ALERT_EMAILS", default="", cast=email_addresses)
# Prices that are not the list's: negotiated ones, and those of models that are newer than the list.
USAGE_PRICES = config("USAGE_PRICES", default="{}", cast=json_object)
