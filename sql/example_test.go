package sql_test

import (
	"errors"
	"fmt"

	"systemscale/sql"
)

func ExampleQueryFor() {
	table := sql.DocumentTable("products", "styles", 12)
	fmt.Println(sql.QueryFor("etl/count_rows", "table", table))
	// Output:
	// select count(*) from "catalog"."products_styles_g12"
}

func ExampleCheckCollection() {
	fmt.Println(sql.CheckCollection("products"))
	fmt.Println(sql.CheckCollection("docs"))
	// Output:
	// <nil>
	// the name is reserved for the documentation
}

func ExampleParseURL() {
	config, err := sql.ParseURL("postgres://etl:p%40ss@db.example:5433/catalog")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.Host, config.Port, config.User, config.Database)

	_, err = sql.ParseURL("postgres://etl:p@ss@db.example/catalog") // the password is not encoded
	fmt.Println(errors.Is(err, sql.ErrURL))
	// Output:
	// db.example 5433 etl catalog
	// true
}
