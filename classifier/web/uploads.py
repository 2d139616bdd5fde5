"""Files on their way in, before any view sees them."""

from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Spools no more of a file than could be accepted; the rest is counted and dropped.

    The file then reports its true size, so that the refusal can name it. A request that is too
    large as a whole is refused before any of it is read.
    """

    def handle_raw_input(
        self, input_data: IO[bytes], meta: dict[str, str], content_length: int, *rest: Any
    ) -> None:
        """Let strangers send what is kept in memory alone: none of it reaches the disk.

        Raises:
            RequestDataTooBig: if the request is larger than its sender may send.
        """
        known = self.request and self.request.user.is_authenticated
        limit = settings.UPLOAD_MAX_REQUEST_BYTES if known else settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        if content_length > limit:
            raise RequestDataTooBig(f"The request has {content_length} bytes of at most {limit}.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start <= settings.UPLOAD_MAX_BYTES:
            super().receive_data_chunk(raw_data, start)
