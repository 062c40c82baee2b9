from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClaudeConfig(AppConfig):
    name = "claude"
    verbose_name = _("Claude")

    def ready(self) -> None:
        from claude import checks, model_checks  # noqa: F401, importing them registers the checks
