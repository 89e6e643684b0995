"""The pages: each reads a request, asks one stored operation as the member, and fills a template."""
