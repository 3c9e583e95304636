// Package dbconn opens the database: SQLite in a file or PostgreSQL.
package dbconn
