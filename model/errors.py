"""The error that a user can fix."""


class UsageError(ValueError):
    """Unusable input, file or setting. The message is one sentence that names it and says what to do."""

    def __init__(self, sentence: str, public: str | None = None) -> None:
        """``public``: the sentence without details for operators only, such as labels."""
        super().__init__(sentence)
        self.public = public or sentence
