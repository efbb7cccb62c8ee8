"""What a person sees when something goes wrong."""

from __future__ import annotations

import logging

from streamlit.testing.v1 import AppTest


def fails_in_words():
    import streamlit as st

    from tl_core.errors import DataError
    from ui.shell.errors import error_boundary

    with error_boundary():
        raise DataError("The zip is empty: choose another one.")
    st.markdown("The rest of the page.")


def fails_unexpectedly():
    import streamlit as st

    from ui.shell.errors import error_boundary

    with error_boundary():
        raise RuntimeError("/secret/path broke")
    st.markdown("The rest of the page.")


def stops():
    import streamlit as st

    from ui.shell.errors import error_boundary

    with error_boundary():
        st.stop()


def test_an_error_of_ours_is_its_sentence():
    at = AppTest.from_function(fails_in_words).run()
    assert [error.value for error in at.error] == ["The zip is empty: choose another one."]
    assert at.markdown[0].value == "The rest of the page."
    assert not at.exception


def test_any_other_error_is_a_sentence_with_an_id_and_the_log_has_the_rest(caplog):
    with caplog.at_level(logging.ERROR):
        at = AppTest.from_function(fails_unexpectedly).run()
    (error,) = at.error
    assert "secret" not in error.value
    (record,) = [record for record in caplog.records if record.name == "ui.shell.errors"]
    error_id = record.getMessage().split()[-1]
    assert error_id in error.value
    assert "/secret/path broke" in str(record.exc_info[1])
    assert not at.exception


def test_stopping_a_page_is_no_error():
    at = AppTest.from_function(stops).run()
    assert not at.error
    assert not at.exception
