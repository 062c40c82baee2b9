@contextmanager
def failing_as_misconfigured() -> Iterator[None]:
    """Building a client asks nobody: what it raises comes from the environment."""
    try:
        yield
    except Failure:
        raise
    except Exception as error:
        names = " and ".join(checks.broken_variables()) or type(error).__name__
        raise Failure("misconfigured", f"check {names}: the HTTP client cannot be built") from None


def options() -> dict[str, Any]:
    """What every client is built with. The key is explicit: no profile or file of the machine takes its place."""
    key = settings.ANTHROPIC_API_KEY.strip()
    if settings.CLAUDE_OFFLINE:
        key = "offline"
    else:
        for problem in itertools.chain(checks.check_key(None), checks.check_base_url(None)):
            if problem.is_serious():
                raise Failure("misconfigured", f"check {problem.msg}")
    return {
        "api_key": key,
        "base_url": settings.ANTHROPIC_BASE_URL,
        "max_retries": settings.CLAUDE_MAX_RETRIES,
        "timeout": settings.CLAUDE_TIMEOUT,
        "middleware": [calls.limit_attempt],
        # Traces, where they are collected, never hold prompts or answers.
        "open_telemetry": {"traces": {"content_mode": "metadata_only"}},
    }


def http_options() -> dict[str, Any]:
    """What the SDK's HTTP client is built with. No redirect takes a prompt elsewhere, and `claude.body` says why no gzip."""
    carrier = {"transport": StandIn()} if settings.CLAUDE_OFFLINE else {}
    # % if cookiecutter.view_style == "async"
    hooks = {"response": [calls.limit_response]}
    # % else
    hooks = {"request": [calls.limit_request], "response": [calls.limit_response]}
    # % endif
    headers = {"accept-encoding": "identity"}
    return {"follow_redirects": False, "headers": headers, "event_hooks": hooks, **carrier}


# Two processes that share a client's sockets would read each other's answers.
if hasattr(os, "register_at_fork"):  # Windows cannot fork
    os.register_at_fork(after_in_child={{ "clients.clear" if cookiecutter.view_style == "async" else "get_client.cache_clear" }})


@receiver(setting_changed)
def follow_settings(*, setting: str, **kwargs: Any) -> None:
    """A test that overrides a setting gets a client that knows it."""
    if setting.startswith(("ANTHROPIC_", "CLAUDE_")):
        {{ "clients.clear" if cookiecutter.view_style == "async" else "get_client.cache_clear" }}()
