// Gets a data set from the first source that works, checks every file's digest and puts it into a folder.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/dataset/sources.h"

namespace digit {

struct FetchOptions {
  // Called on the caller's thread with one line, without newline, whenever something starts, succeeds or fails.
  std::function<void(absl::string_view line)> on_progress = [](absl::string_view) {};
  // Programs, looked up in PATH; each is needed only when a source of its kind is tried.
  std::string curl = "curl";
  std::string npm = "npm";
  std::string tar = "tar";
  // For tests: mirrors may also be http://127.0.0.1:PORT/. All else is https only, redirects too.
  bool allow_loopback_http = false;
  // Not owned; may be set by a signal handler: the fetch then ends within a second or so.
  const std::atomic<bool>* stop = nullptr;
};

// Puts every file of `set` into `folder` (made if missing) as plain IDX, where ReadIdxFolder() finds it. Tries the
// sources in order, the next when one fails. A file that is there already, plain or .gz, with the right content is not
// fetched again; one with other content is renamed to NAME.replaced. Files appear whole or not at all. A download that
// breaks off leaves `.NAME.gz.XXXXXXXX.part`, which the next call resumes (not one by npm, which starts over). Writes
// only inside `folder`, and what a fetch that was killed left there the next one removes; one process at a time.
// Blocks: minutes on a slow line; a mirror that stalls for 30 s or a program that hangs for 30 minutes is given up.
// CANCELLED: options.stop was set. UNAVAILABLE: no source worked; the message says why each failed and how to put the
// files there by hand. NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION: the folder cannot be made, or what is in it
// cannot be read.
absl::Status FetchDataSet(const DataSet& set, const std::string& folder, const FetchOptions& options = {});

// The same for a name of FindDataSet().
absl::Status FetchDataSet(absl::string_view name, const std::string& folder, const FetchOptions& options = {});

}  // namespace digit
