"""Tokens one after the other."""

from img.domain.bake.language.tokens import Token


class TokenReader:
    """Tokens one after the other; line breaks count only where they mean something."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.lines = True  # whether line breaks are tokens here

    def peek(self) -> Token:
        if not self.lines:
            while self.tokens[self.at].kind == "newline":
                self.at += 1
        return self.tokens[self.at]

    def read(self) -> Token:
        token = self.peek()
        if self.at < len(self.tokens) - 1:
            self.at += 1
        return token
