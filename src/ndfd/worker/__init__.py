"""The processes that see documents: a warm zygote, and the workers it forks; one job frame in, one result frame out."""
