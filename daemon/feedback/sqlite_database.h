// SQLite as far as we need it: one connection, statements that are prepared once, errors as absl::Status.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace digit {

// One thread at a time. Every error names the file: UNAVAILABLE, locked by another process for longer than the busy
// timeout; RESOURCE_EXHAUSTED, the disk is full; else FAILED_PRECONDITION (damaged, unreadable, read-only, ...).
class SqliteDatabase {
 public:
  // Makes the file, for its owner only, when it is missing; changes nothing in one that is there.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, absl::Duration busy_timeout);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // From now on writes go to a log beside the file first (WAL), and a commit waits until it is on disk.
  absl::Status UseLog();

  absl::Status Run(const std::string& statements);  // without parameters and results
  // Of a statement that gives one.
  absl::StatusOr<int64_t> Number(const char* statement);
  absl::StatusOr<std::string> Text(const char* statement);

  int64_t last_row_id() const { return sqlite3_last_insert_rowid(connection_); }
  const std::string& path() const { return path_; }
  // What to say when its content is not what it should be.
  absl::Status Damaged(absl::string_view how);
  // False after an error that is not about one statement: open it anew.
  bool usable() const { return usable_; }

 private:
  friend class SqliteQuery;
  friend class SqliteTransaction;
  explicit SqliteDatabase(const std::string& path) : path_(path) {}
  absl::Status Prepare(const char* sql, sqlite3_stmt** statement);  // cached by the address of `sql`
  absl::Status ToStatus(int code);

  const std::string path_;
  sqlite3* connection_ = nullptr;
  std::map<const char*, sqlite3_stmt*> statements_;
  bool usable_ = true;
};

// One run of a statement; ends with the object.
//
//   SqliteQuery query(database, "SELECT name FROM person WHERE age = ?");
//   query.Bind(30);
//   while (query.Next()) names.push_back(query.Text(0));
//   RETURN_IF_ERROR(query.status());
class SqliteQuery {
 public:
  // `sql` must be a literal. At most one SqliteQuery of it at a time.
  SqliteQuery(SqliteDatabase* database, const char* sql);
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // The next parameter. What `text` points to must stay until the last Next().
  SqliteQuery& Bind(int64_t number);
  SqliteQuery& Bind(absl::string_view text);
  SqliteQuery& BindBytes(absl::string_view bytes);
  SqliteQuery& BindNull();

  // Whether there is another row. False also after an error.
  bool Next();
  // For a statement without rows.
  absl::Status Finish();
  const absl::Status& status() const { return status_; }

  // Of the row that Next() found; columns from 0.
  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) const;  // or bytes; empty for NULL
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  void Bound(int code);

  SqliteDatabase* const database_;
  sqlite3_stmt* statement_ = nullptr;
  int parameters_ = 0;
  absl::Status status_;
};

// All or nothing: what was not committed is undone when this goes.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase* database) : database_(database) {}
  ~SqliteTransaction();
  absl::Status Begin();  // for writing
  absl::Status Commit();

 private:
  SqliteDatabase* const database_;
  bool open_ = false;
};

}  // namespace digit
