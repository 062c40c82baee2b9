from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import checks, request_log  # noqa: F401, importing them registers checks and receivers
