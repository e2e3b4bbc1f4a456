// Where data sets come from: the committed list behind `digit-train fetch`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// Sizes and digests are those of the unpacked IDX file, so that .gz files of any maker compare alike.
struct DataFile {
  std::string name;    // without .gz
  std::string sha256;  // 64 lower-case hex digits
  int64_t size_bytes = 0;
};

struct DataSource {
  enum class Kind {
    kMirror,  // `location` is a URL that ends in '/'; below it lies NAME.gz of every file
    kNpm,     // `location` is a package with its version; the files lie, unpacked, in its folder `path`
    kFolder,  // `location` is a folder of this machine with NAME or NAME.gz; `hint` says how to get it
  };
  Kind kind = Kind::kMirror;
  std::string location;
  std::string path = {};
  std::string hint = {};
};

struct DataSet {
  std::string name;
  std::vector<DataFile> files;
  std::vector<DataSource> sources;  // tried in this order
};

// "mnist" or "fashion-mnist". NOT_FOUND lists the names there are.
absl::StatusOr<DataSet> FindDataSet(absl::string_view name);

}  // namespace digit
