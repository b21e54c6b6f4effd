"""The pages: ``streamlit run ui/main.py``. They speak to the API over HTTP and to nothing else."""

from pathlib import Path

import streamlit as st

from ui.views import bars, work

_ICON = Path(__file__).with_name("icon.svg")  # a file: named icons come from the network

st.set_page_config(page_title="Barlake", page_icon=_ICON, layout="wide")
pages = [
    st.Page(bars.show, title="Bars", icon=":material/candlestick_chart:", url_path="bars", default=True),
    st.Page(work.show, title="Jobs and agents", icon=":material/engineering:", url_path="jobs"),
]  # fmt: skip
# The room Streamlit leaves above a page is a third of a telephone's screen.
st.html("<style>.stMainBlockContainer {padding-top: 4.5rem}</style>")
st.navigation(pages, position="top").run()
