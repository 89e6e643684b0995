"""The doors for integrators: the tracking API and the import API."""
