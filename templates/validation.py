def is_valid(answer: Answer, validate: Validate | None) -> bool:
    try:
        if validate is not None:
            validate(answer)
    except ValueError:
        return False
    return True


