"""What can go wrong with the pages, beside the centre's own errors.

CentreError
├── AssetsBuildError   npm could not be found, or could not install what the lock file names
└── FilterError        an address names a filter value that does not exist
"""

from central_ingest.errors import CentreError


class AssetsBuildError(CentreError):
    """Npm could not be found, or could not install what the lock file names."""


class FilterError(CentreError):
    """An address names a filter value that does not exist; the message lists those that do."""
