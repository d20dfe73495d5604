"""Documentation, and the script that writes its generated parts."""
