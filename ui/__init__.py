"""What the pages share: the frame of a page, links between pages, the live chart, the panel of a run."""

import logging

from tl_core.machine.banner import keep_banner_back


def _tells_something(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("No runtime found")


# What the terminal shows is for the person who started the server. Streamlit reads these modules before it has a
# runtime, and says so of each function whose results it is to keep: it keeps them all the same.
logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(_tells_something)
keep_banner_back()
