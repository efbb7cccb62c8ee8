"""Transfer learning for image classification: everything the dashboard does, without the dashboard.

Nothing here imports Streamlit. Packages import downwards only: ``tests/test_architecture.py`` names the floors;
CONTRIBUTING.md has the map.
"""
