"""What a person can mend."""


class Refusal(ValueError):
    """Input, a file or a setting that cannot be used; its text is one sentence that names it and says what to do."""
