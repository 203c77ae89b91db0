"""Your own picture: holes of any shape in pictures of any size and file type."""
