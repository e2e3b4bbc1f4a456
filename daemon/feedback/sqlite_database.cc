#include "daemon/feedback/sqlite_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace digit {
namespace {

// SQLite would make it readable for everybody that the umask lets; what it makes beside it is as this one.
absl::Status MakeFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(ErrnoStatus(errno, "open", path).message());
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     absl::Duration busy_timeout) {
  RETURN_IF_ERROR(MakeFile(path));
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path));
  const int code =
      sqlite3_open_v2(path.c_str(), &database->connection_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return database->ToStatus(code);
  sqlite3_extended_result_codes(database->connection_, 1);
  sqlite3_busy_timeout(database->connection_, static_cast<int>(absl::ToInt64Milliseconds(busy_timeout)));
  RETURN_IF_ERROR(database->Run("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF"));
  return database;
}

absl::Status SqliteDatabase::UseLog() {
  ASSIGN_OR_RETURN(const std::string mode, Text("PRAGMA journal_mode = WAL"));
  if (mode == "wal") return Run("PRAGMA synchronous = FULL");
  return absl::FailedPreconditionError(absl::StrCat(
      "'", path_, "' cannot be kept with a write-ahead log: its file system cannot share memory between processes"));
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [_, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(connection_);
}

absl::Status SqliteDatabase::ToStatus(int code) {
  const std::string why = connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat("'", path_, "' is locked by another process; try again"));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat("'", path_, "' cannot grow: the disk is full"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Damaged(why);
    default:
      usable_ = false;
      return absl::FailedPreconditionError(absl::StrCat("'", path_, "' cannot be used: ", why));
  }
}

absl::Status SqliteDatabase::Damaged(absl::string_view how) {
  usable_ = false;
  return absl::FailedPreconditionError(absl::StrCat("'", path_, "' is damaged, or no database (", how,
                                                    "); move it away,", " with its -wal and -shm, to begin anew"));
}

absl::Status SqliteDatabase::Prepare(const char* sql, sqlite3_stmt** statement) {
  sqlite3_stmt*& kept = statements_[sql];
  if (kept == nullptr) {
    const int code = sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &kept, nullptr);
    if (code != SQLITE_OK) return ToStatus(code);
  }
  *statement = kept;
  return absl::OkStatus();
}

absl::Status SqliteDatabase::Run(const std::string& statements) {
  const int code = sqlite3_exec(connection_, statements.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ToStatus(code);
}

absl::StatusOr<int64_t> SqliteDatabase::Number(const char* statement) {
  SqliteQuery query(this, statement);
  const bool found = query.Next();
  RETURN_IF_ERROR(query.status());
  DIGIT_CHECK(found);
  return query.Int(0);
}

absl::StatusOr<std::string> SqliteDatabase::Text(const char* statement) {
  SqliteQuery query(this, statement);
  const bool found = query.Next();
  RETURN_IF_ERROR(query.status());
  DIGIT_CHECK(found);
  return query.Text(0);
}

SqliteQuery::SqliteQuery(SqliteDatabase* database, const char* sql)
    : database_(database), status_(database->Prepare(sql, &statement_)) {}

SqliteQuery::~SqliteQuery() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteQuery::Bound(int code) {
  if (code != SQLITE_OK) status_.Update(database_->ToStatus(code));
}

SqliteQuery& SqliteQuery::Bind(int64_t number) {
  if (status_.ok()) Bound(sqlite3_bind_int64(statement_, ++parameters_, number));
  return *this;
}

// An empty text without an address would be NULL.
SqliteQuery& SqliteQuery::Bind(absl::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  if (status_.ok())
    Bound(sqlite3_bind_text64(statement_, ++parameters_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

SqliteQuery& SqliteQuery::BindBytes(absl::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  if (status_.ok()) Bound(sqlite3_bind_blob64(statement_, ++parameters_, data, bytes.size(), SQLITE_STATIC));
  return *this;
}

SqliteQuery& SqliteQuery::BindNull() {
  if (status_.ok()) Bound(sqlite3_bind_null(statement_, ++parameters_));
  return *this;
}

bool SqliteQuery::Next() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) status_ = database_->ToStatus(code);
  return code == SQLITE_ROW;
}

absl::Status SqliteQuery::Finish() {
  while (Next()) {
  }
  return status_;
}

std::string SqliteQuery::Text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

absl::Status SqliteTransaction::Begin() {
  RETURN_IF_ERROR(SqliteQuery(database_, "BEGIN IMMEDIATE").Finish());
  open_ = true;
  return absl::OkStatus();
}

absl::Status SqliteTransaction::Commit() {
  RETURN_IF_ERROR(SqliteQuery(database_, "COMMIT").Finish());
  open_ = false;
  return absl::OkStatus();
}

SqliteTransaction::~SqliteTransaction() {
  // Some errors have undone it already.
  if (!open_ || sqlite3_get_autocommit(database_->connection_) != 0) return;
  const absl::Status undone = SqliteQuery(database_, "ROLLBACK").Finish();
  if (!undone.ok()) LogError("rollback failed", {{"error", undone}});
}

}  // namespace digit
