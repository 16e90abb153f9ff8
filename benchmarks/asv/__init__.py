"""What asv needs: the groups that it times, and how it installs a commit."""
