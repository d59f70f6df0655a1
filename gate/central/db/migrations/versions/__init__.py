"""One file a revision; what has been released is never edited again."""
