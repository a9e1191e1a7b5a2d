"""What a person can mend."""


class UsageError(ValueError):
    """Input, a file or a setting that cannot be used; its text is one sentence that names it and says what to do."""

    def __init__(self, sentence: str, public: str | None = None) -> None:
        """``public``: the sentence without what only the operator may read, such as labels."""
        super().__init__(sentence)
        self.public = public or sentence
