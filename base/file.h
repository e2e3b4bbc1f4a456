// Whole files, read with a limit and written so that a crash never leaves half of one.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION (a directory or other non-file) or RESOURCE_EXHAUSTED (larger than
// `max_bytes`); every message names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes);

// The same of a file that is open; `path` is for messages.
absl::StatusOr<std::string> ReadAndClose(int fd, const std::string& path, int64_t max_bytes);

// Writes a temporary file beside `path`, fsyncs it, renames it over `path` and fsyncs the folder: after a crash there
// is the old content or the new, never a part. Makes no folders. A symbolic link stays and its target is written.
// FAILED_PRECONDITION: `path` is there and is no regular file (a device, a folder, a link to nothing).
absl::Status WriteFileAtomically(const std::string& path, absl::string_view content);

// Makes what was created, renamed and removed in a folder last.
absl::Status SyncFolder(const std::string& folder);

// Makes a folder with those above it, which get mode 0777 less the umask. What was made is on disk then: a power cut
// does not take it from under what is kept inside. OK when something is there already, whatever it is.
absl::Status MakeFolders(const std::string& folder, int mode = 0777);

// OK when WriteFileAtomically() would not refuse `path` for what it is. Looks at nothing else.
absl::Status CheckReplaceable(const std::string& path);

// Puts something in the place of any of standard input, output and error that the parent closed, such that reading and
// writing there fail: else the next socket or file gets that number, and what is printed lands in it. A program that
// calls this, first in main(), has it done even before its libraries open theirs.
void OpenStandardDescriptors();

// "cannot open 'PATH': No such file or directory", with the code that fits `error` (an errno).
absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view path);

}  // namespace digit
