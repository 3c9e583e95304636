package drill

import (
	"context"
	"errors"
)

func rolling(context.Context, Options) (Result, error) { return Result{}, errors.ErrUnsupported }
func hostile(context.Context, Options) (Result, error) { return Result{}, errors.ErrUnsupported }
