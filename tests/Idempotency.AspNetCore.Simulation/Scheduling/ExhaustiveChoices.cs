namespace Idempotency.AspNetCore.Simulation;

/// <summary>Every sequence of choices, depth first: run the world, call <see cref="Next"/>, and run it again until that says no.</summary>
internal sealed class ExhaustiveChoices : IChoices
{
    private readonly List<(int Chosen, int Count)> _path = [];
    private int _depth;

    public bool AreExhaustive => true;

    public int Choose(int count, long moment)
    {
        if (_depth == _path.Count)
        {
            _path.Add((0, count));
        }
        else if (_path[_depth].Count != count)
        {
            throw new InvalidOperationException($"The world is not deterministic: at choice {_depth} there were {_path[_depth].Count} possibilities, and now there are {count}.");
        }

        return _path[_depth++].Chosen;
    }

    /// <summary>The next sequence of choices.</summary>
    /// <returns>False: there is none left.</returns>
    public bool Next()
    {
        _path.RemoveRange(_depth, _path.Count - _depth);
        _depth = 0;
        while (_path.Count > 0)
        {
            var (chosen, count) = _path[^1];
            if (chosen + 1 < count)
            {
                _path[^1] = (chosen + 1, count);
                return true;
            }

            _path.RemoveAt(_path.Count - 1);
        }

        return false;
    }

    /// <summary>The same choices once more.</summary>
    public void Rewind() => _depth = 0;

    public override string ToString() => string.Join(' ', _path.Select(static step => step.Chosen));
}
