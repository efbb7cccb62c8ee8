"""The pieces of the Data page: import, overview and management of datasets."""
