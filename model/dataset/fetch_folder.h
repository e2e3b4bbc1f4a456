// The folder that a fetch works in: one fetch at a time, and nothing of an earlier one that was cut short stays.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/dataset/fetch.h"
#include "model/dataset/sources.h"

namespace digit {

// Not thread-safe.
class FetchFolder {
 public:
  // Makes `path` where it is missing, waits until no other process fetches into it (which on_progress is told) and
  // removes the scratch folders of fetches that were killed. Errors as FetchDataSet(); CANCELLED by options.stop.
  static absl::StatusOr<FetchFolder> Open(const std::string& path, const FetchOptions& options);
  FetchFolder(FetchFolder&& other) noexcept;
  FetchFolder& operator=(FetchFolder&&) = delete;
  ~FetchFolder();  // lets the next one in

  const std::string& path() const { return path_; }

  // An empty folder inside, by its absolute path; the caller removes it.
  absl::StatusOr<std::string> MakeScratch() const;
  // Where the bytes of `url`, which holds `file` as .gz, are gathered; named after both, as another mirror's bytes may
  // differ though the content is the same.
  std::string PartOf(const DataFile& file, absl::string_view url) const;
  // Removes whatever part-filled downloads of `files` there are, from any URL.
  void RemoveParts(const std::vector<DataFile>& files) const;

 private:
  FetchFolder(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  const std::string path_;
  int fd_;  // of the folder, locked; -1: this file system has no locks
};

}  // namespace digit
