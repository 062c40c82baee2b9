from django.apps import AppConfig


class ClaudeConfig(AppConfig):
    name = "claude"

    def ready(self) -> None:
        from claude import checks, model_checks  # noqa: F401, importing them registers the checks
