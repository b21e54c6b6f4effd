"""What goes wrong in the sandbox: it cannot start, or it must refuse a request.

SandboxError      the sandbox cannot start or run; its text is one sentence that says what to do
├── ConfigError
├── DataFolderError
└── PortError
ApiError          a reply in Alpaca's form: status, message, sometimes a code
"""

from pathlib import Path


class SandboxError(Exception):
    """The sandbox cannot start or run."""


class ConfigError(SandboxError):
    """An option that cannot be used."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class DataFolderError(SandboxError):
    """The folder of bars, or a file in it, cannot be served."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return (
            f"{self.path} {self.problem}. Give --data a folder of SYMBOL.parquet files with the "
            "columns timestamp, open, high, low, close and volume."
        )


class PortError(SandboxError):
    """The address cannot be listened on."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(host, port, reason)
        self.host, self.port, self.reason = host, port, reason

    def __str__(self) -> str:
        return (
            f"The sandbox cannot listen on {self.host}:{self.port} ({self.reason}). "
            "Choose another with --port; 0 takes a free one."
        )


class NotStartedError(SandboxError):
    """The process of a sandbox ended or stayed silent instead of answering."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return f"The sandbox did not start. It said: {self.said or 'nothing'}"


class ApiError(Exception):
    """A refusal in Alpaca's form.

    Args:
        status: HTTP status.
        message: What Alpaca would say.
        code: Alpaca's own number, where it documents one.
    """

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(status, message, code)
        self.status, self.message, self.code = status, message, code

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, int | str]:
        """The reply's JSON."""
        return {"message": self.message} | ({} if self.code is None else {"code": self.code})


class BadRequestError(ApiError):
    """A parameter is malformed: 400."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)

    def __reduce__(self) -> tuple[type["BadRequestError"], tuple[str]]:
        return type(self), (self.message,)
