"""Errors that the caller of the analysis makes and can correct."""

from __future__ import annotations


class QuestionError(ValueError):
    """The question cannot be answered as asked. `message` says what is wrong, `advice` what to ask instead."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
