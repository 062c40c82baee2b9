def test_retries_and_timeout_come_from_the_settings(settings):
    settings.CLAUDE_MAX_RETRIES = 3
    assert (get_client().max_retries, get_client().timeout) == (3, 60.0)


def test_a_key_that_cannot_work_is_a_failure(settings):
    settings.CLAUDE_OFFLINE = False
    settings.ANTHROPIC_API_KEY = " "
    with pytest.raises(Failure) as caught:
        get_client()
    assert caught.value.kind == "misconfigured"
