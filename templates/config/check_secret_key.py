@register
def check_secret_key(app_configs: object, **kwargs: object) -> Iterator[CheckMessage]:
    if not settings.DEBUG and settings.SECRET_KEY == settings.INSECURE_SECRET_KEY:
        yield Error(
            "SECRET_KEY is not set: everybody knows the default, and could sign in as anybody.",
            hint="Set SECRET_KEY to the output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="config.E001",
        )
