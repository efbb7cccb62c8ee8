"""Plotly figures of datasets, trainings and evaluations, made from plain records; no browser, no Streamlit."""
