"""Paper: documents as tagged PDFs, each a template of typst beside the module that fills it with words."""
