"""What several tasks raised at once, reduced to what a person should read."""


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group, however deep: the others are its consequences, or the same again."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
