"""Words of a text that is expanded in parts (BuildKit frontend/dockerfile/shell/lex.go)."""


class WordSplitter:
    """A collector of words; quoted parts are not split."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._word: list[str] = []

    def add(self, text: str) -> None:
        """Add ``text``, splitting at its blanks."""
        if text[:1].isspace():
            self._flush()
        for number, word in enumerate(text.split()):
            if number:
                self._flush()
            self._word.append(word)
        if text[-1:].isspace():
            self._flush()

    def add_whole(self, text: str) -> None:
        """Add ``text`` without splitting it."""
        self._word.append(text)

    def forget(self) -> None:
        """Drop the current word."""
        self._word.clear()

    def finish(self) -> list[str]:
        """Return all words; end the current one."""
        self._flush()
        return self._done

    def _flush(self) -> None:
        word = "".join(self._word)
        self._word.clear()
        if word:
            self._done.append(word)
