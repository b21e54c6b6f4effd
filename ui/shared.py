"""What every page has: the client, and errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from ui.client import ApiDownError, ApiError, Client, api_url


@st.cache_resource(show_spinner=False)
def _client(url: str) -> Client:
    return Client(url)


def client() -> Client:
    """The client of this server's API."""
    return _client(api_url())


@contextmanager
def sentences() -> Iterator[None]:
    """Show what the API refuses in a block as a sentence, and leave out the rest of the block."""
    try:
        yield
    except ApiDownError as error:
        st.error(str(error), icon=":material/cloud_off:")
        st.button("Try again", icon=":material/refresh:")
    except ApiError as error:
        st.error(str(error), icon=":material/error:")
