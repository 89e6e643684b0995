"""The tracking API beside plain COPY: how fast messages are taken in and visible, and what that costs as the graph grows."""
