"""What the pages share: the frame of a page, links between pages, the live chart, the panel of a run."""
